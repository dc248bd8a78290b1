"""Model bundles: a network's weights with everything needed to use and to assess them."""

from .finding import asked_task, bundle_folder, find_bundles, resolve_bundle, tasks_at_hand
from .keras_import import KerasModel, import_keras
from .manifest import Manifest, NetworkSpec, Preprocessing
from .store import (
    ModelBundle,
    check_new_bundle,
    load_bundle,
    read_manifest,
    save_bundle,
    verify_bundle,
)
from .updating import check_new_version, update_calibration, update_rating

__all__ = [
    "KerasModel",
    "Manifest",
    "ModelBundle",
    "NetworkSpec",
    "Preprocessing",
    "asked_task",
    "bundle_folder",
    "find_bundles",
    "import_keras",
    "load_bundle",
    "read_manifest",
    "resolve_bundle",
    "check_new_bundle",
    "check_new_version",
    "save_bundle",
    "tasks_at_hand",
    "update_calibration",
    "update_rating",
    "verify_bundle",
]
