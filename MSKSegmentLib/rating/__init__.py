"""Judging masks that the network did not make: lights, reasons and predicted Dice of imported and corrected results."""
