"""A run as a child process: the request, its progress lines, cancelling. Both front ends and the tests use it."""

from .process import EngineEvent, EngineRun
from .requests import DevicesRequest, ImportRequest, LearnRequest, SegmentRequest

__all__ = ["DevicesRequest", "EngineEvent", "EngineRun", "ImportRequest", "LearnRequest", "SegmentRequest"]
