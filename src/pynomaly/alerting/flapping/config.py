"""Settings of flapping detection."""

from pydantic import Field, model_validator

from pynomaly.model.document import Section
from pynomaly.model.duration import Duration


class FlappingSettings(Section):
    """When an alert flaps, and what is told of it then."""

    enabled: bool = Field(default=True, description="Mark alerts that flap.")
    window: Duration = Field(
        default=3600.0, gt=0, description="The stretch of time whose changes count."
    )
    begins_at: float = Field(
        default=6.0,
        ge=2,
        description="An alert flaps from so many changes on: to fire is one, to end another. The "
        "newest weighs 1.2, the oldest of the window 0.8.",
    )
    ends_below: float = Field(
        default=3.0, gt=0, description="It is calm again with fewer changes than this."
    )
    hold: bool = Field(
        default=False,
        description="Whether, while an alert flaps, receivers are told so once, and of its end "
        "when it is calm again; in between of nothing but repetitions. Without it they are told "
        "as by Alertmanager, and what flaps is marked on the pages and in the API alone.",
    )
    hold_critical: bool = Field(
        default=False, description="Do so with critical alerts as well, not only with others."
    )

    @model_validator(mode="after")
    def _apart(self) -> "FlappingSettings":
        if self.ends_below >= self.begins_at:
            raise ValueError(
                f"ends_below ({self.ends_below:g}) must be less than begins_at "
                f"({self.begins_at:g}), or an alert would flap in flapping"
            )
        return self
