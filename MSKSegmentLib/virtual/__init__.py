"""Virtual patients: labelled anatomy, deformed, completed to whole bodies and rendered as CT with known labels."""
