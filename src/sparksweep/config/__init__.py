"""What a user may set: experiment files, typed and checked whole, each default stated once.

``experiment`` holds the settings, ``yaml_text`` reads YAML strictly, ``loading`` puts file, ``--set`` and checks
together.
"""

from sparksweep.config.experiment import DataSettings, Experiment, FeatureSettings, SearchSettings
from sparksweep.config.loading import parse_experiment

__all__ = ["DataSettings", "Experiment", "FeatureSettings", "SearchSettings", "parse_experiment"]
