"""The Sample Data module as far as another module registers data with it."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import slicer

MODULE = types.ModuleType("SampleData", __doc__)


class SampleDataSource:
    """One entry of the module's gallery."""

    def __init__(self, **fields: Any) -> None:
        for name, value in fields.items():
            single = name in ("uris", "fileNames", "nodeNames", "loadFileTypes", "loadFiles", "checksums")
            setattr(self, name, [value] if single and not isinstance(value, (list, tuple)) else value)


class SampleDataLogic:
    """Registers sources and loads those that lie on this computer; it never uses the network."""

    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None:
        slicer.modules.sampleDataSourceCategories[category] = {"title": title}

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
        checksums: Any = None,
        loadFileType: Any = None,
    ) -> None:
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileTypes=loadFileTypes or loadFileType,
            loadFiles=loadFiles,
            loadFileProperties=loadFileProperties or {},
            checksums=checksums,
        )
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        sources = (source for group in slicer.modules.sampleDataSources.values() for source in group)
        return next((source for source in sources if source.sampleName == sampleName), None)

    def downloadFromSource(self, source: SampleDataSource) -> list[Any]:
        """Load a source: by its own function, or from ``file:`` addresses."""
        if source.customDownloader is not None:
            return source.customDownloader(source)
        nodes = []
        for uri, name in zip(source.uris, source.nodeNames, strict=True):
            address = urlparse(uri)
            if address.scheme != "file":
                raise ValueError(f"the test host loads no sample data from the network: {uri}")
            path = Path(url2pathname(address.path))
            nodes.append(slicer.util.loadVolume(str(path), {"name": name}))
        return nodes

    def downloadSample(self, sampleName: str) -> Any:
        source = self.sourceForSampleName(sampleName)
        return self.downloadFromSource(source)[0] if source is not None else None


MODULE.SampleDataLogic = SampleDataLogic
MODULE.SampleDataSource = SampleDataSource
