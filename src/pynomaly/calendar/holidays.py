"""Public holidays of a country, by the package ``holidays``, as dates with names."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache


def check_country(country: str, subdivision: str = "") -> None:
    """Refuse a country or a subdivision whose holidays are not known.

    Raises:
        ValueError: which of them, and what there is.
    """
    # Imported where a country is configured only: it takes a tenth of a second.
    from holidays import list_supported_countries

    known = list_supported_countries()
    if country not in known:
        raise ValueError(f"{country!r} is no country of which holidays are known; write it like DE")
    if subdivision and subdivision not in known[country]:
        there = ", ".join(known[country]) or "none"
        raise ValueError(f"{country} has no subdivision {subdivision!r}; there are: {there}")


@lru_cache(maxsize=512)
def public_holidays(country: str, subdivision: str, year: int) -> Mapping[date, str]:
    """The public holidays of a year with their English names, where there are any.

    ``subdivision`` is empty for what the whole country has.
    """
    from holidays import country_holidays

    found = country_holidays(country, subdiv=subdivision or None, years=year, language="en_US")
    return {day: name for day, name in found.items() if day.year == year}
