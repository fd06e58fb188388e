"""Stand-in for Slicer's ``SampleData`` module: what registers a data set, with the real one's checks."""

from pathlib import Path
from types import ModuleType

sources: dict[str, list] = {}
titles: dict[str, str] = {}


class SampleDataSource:
    def __init__(self, sampleName, uris, fileNames, nodeNames, customDownloader, thumbnailFileName):
        lists = [[each] if isinstance(each, str) else each for each in (uris, fileNames, nodeNames)]
        if len({len(each) for each in lists}) != 1:
            raise ValueError("All fields of sample data source must have the same length")
        if thumbnailFileName and not Path(thumbnailFileName).is_file():
            raise ValueError(f"no thumbnail {thumbnailFileName}")
        self.sampleName, self.thumbnailFileName = sampleName, thumbnailFileName
        self.sampleDescription = sampleName
        self.customDownloader = customDownloader


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataCategory(category, title):
        titles[category] = title

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
    ):
        source = SampleDataSource(sampleName, uris, fileNames, nodeNames, customDownloader, thumbnailFileName)
        sources.setdefault(category, []).append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category):
        return sources.get(category, [])


def module() -> ModuleType:
    made = ModuleType("SampleData")
    made.SampleDataSource, made.SampleDataLogic = SampleDataSource, SampleDataLogic
    return made
