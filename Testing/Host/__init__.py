"""A host for scripted Slicer modules in tests: PySide6 and a real MRML scene instead of the Slicer application.

The host is not Slicer. Scene, nodes and their logics are Slicer's own (slicer-core); qt, ctk, the qMRML widgets and
``slicer.app`` are stand-ins with just as much as the module under test uses. A test that passes here shows that the
module does what it should when Slicer behaves as the stand-ins do::

    from Host import host

    host.start()
    panel = host.loadModule("MSKSegment")
    panel.ui.segmentButton.click()
    host.processEvents(60, until=lambda: not panel.run.running)
    assert not host.errors()
    host.grab(panel, "panel.png", 500, 900)
    host.close()

Whatever a stand-in offers must exist in Slicer: ``Tools/check_slicer_names.py`` looks it up in the sources, and
``slicer_names.json`` keeps where it was found. What a stand-in has for tests alone is named in its `hostOnly`.
"""
