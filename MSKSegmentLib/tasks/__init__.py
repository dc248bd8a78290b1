"""Tasks: what is segmented in which kind of scan, how it is checked, measured and called; one JSON file each."""

from .finding import DEFAULT_TASK, HIP_THIGH_CT, load_task, stored_task, task_names, task_of_stored, with_table
from .task import Task, TaskWords

__all__ = [
    "DEFAULT_TASK",
    "HIP_THIGH_CT",
    "Task",
    "TaskWords",
    "load_task",
    "stored_task",
    "task_names",
    "task_of_stored",
    "with_table",
]
