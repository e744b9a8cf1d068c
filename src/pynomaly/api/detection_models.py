"""Models of watched queries: their versions, training them, and rolling back."""

from typing import Any, Protocol

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from pynomaly.access.asgi import require
from pynomaly.access.policy import Action
from pynomaly.detection.watched.documents import model_document, training_document
from pynomaly.detection.watched.models import ModelVersion
from pynomaly.detection.watched.trainer import Progress


class Models(Protocol):
    """What keeps them."""

    async def models(self) -> list[ModelVersion]:
        """Every version that is kept."""
        ...

    def drift(self, model: ModelVersion) -> float:
        """Of a version in use; NaN while it is not known."""
        ...

    def progress(self) -> list[Progress]:
        """How far trainings are, or how they ended."""
        ...

    def train_soon(self, name: str) -> Progress:
        """Begin to train a query, unless that is under way."""
        ...

    async def roll_back(self, query: str, algorithm: str, version: int) -> ModelVersion:
        """Use another version; 0 is the one before that in use."""
        ...


class Train(BaseModel):
    """What to train."""

    query: str = Field(description="The name of a watched query.")


class RollBack(BaseModel):
    """Which version to use."""

    query: str = Field(description="The name of a watched query.")
    algorithm: str = Field(description="Whose model.")
    version: int = Field(default=0, ge=0, description="Unless given, the one before that in use.")


def router(models: Models) -> APIRouter:
    """``/api/detection/models``."""
    routes = APIRouter(prefix="/api/detection/models", tags=["detection"])

    @routes.get("", dependencies=[Depends(require(Action.METRICS_READ))])
    async def kept() -> dict[str, Any]:
        """Every version, by query and algorithm, the newest first; and how trainings are."""
        versions = await models.models()
        return {
            "models": [model_document(each, models.drift(each)) for each in versions],
            "trainings": [training_document(each) for each in models.progress()],
        }

    @routes.post("/train", dependencies=[Depends(require(Action.CONFIG_WRITE))], status_code=202)
    async def train(wanted: Train) -> dict[str, Any]:
        """Begin to train; ``trainings`` of the list says how far it is."""
        return training_document(models.train_soon(wanted.query))

    @routes.post("/rollback", dependencies=[Depends(require(Action.CONFIG_WRITE))])
    async def roll_back(wanted: RollBack) -> dict[str, Any]:
        """Use an older version, or one that was rolled back from."""
        used = await models.roll_back(wanted.query, wanted.algorithm, wanted.version)
        return model_document(used, models.drift(used))

    return routes
