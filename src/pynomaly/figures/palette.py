"""Series colours that the colour-blind can tell apart."""

# Okabe and Ito, "Color Universal Design", 2008. The order puts the strongest contrasts first;
# a page replaces each slot by the shade that suits its light or dark ground.
OKABE_ITO = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#F0E442",
    "#000000",
)

DASHES = ("solid", "dash", "dot")


def slot_style(slot: int) -> dict[str, str]:
    """The colour and dash of a series slot (0, 1, …): after eight colours the dash changes.

    >>> slot_style(8)
    {'color': '#0072B2', 'dash': 'dash'}
    """
    turn, colour = divmod(slot, len(OKABE_ITO))
    return {"color": OKABE_ITO[colour], "dash": DASHES[turn % len(DASHES)]}
