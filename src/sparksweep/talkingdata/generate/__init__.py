"""A generator of data shaped like the TalkingData competition's: seven zipped CSV files with a planted signal."""

from sparksweep.talkingdata.generate.dataset import TABLES, generate

__all__ = ["TABLES", "generate"]
