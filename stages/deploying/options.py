"""How a fleet is deployed, beside its configuration."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ..project import VERSION
from .fleet import CAMERA

IMAGE = f"facepipe:{VERSION}"


@dataclass(frozen=True, slots=True)
class Options:
    """What the person chooses."""

    image: str = IMAGE
    namespace: str = "facepipe"
    per: str = CAMERA
    fps: float = 25.0  # frames a second that a source sends
    storage: str = "50Gi"  # of the results of a unit whose configuration does not say how much is kept
    storage_class: str | None = None  # of the volumes; None: that of the cluster
    monitoring: str = "monitoring"  # the namespace from which metrics are asked for
    serve: bool = False  # whether `facepipe serve` answers about the runs
    python: str = sys.executable  # of the machines, with facepipe installed
