"""The installed version of Sendmart."""

from importlib.metadata import version


def sendmart_version() -> str:
    return version("sendmart")
