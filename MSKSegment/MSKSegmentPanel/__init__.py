"""The parts of the MSKSegment panel; only these know qt and ctk."""
