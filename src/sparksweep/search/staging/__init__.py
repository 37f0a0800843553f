"""One training for several candidates: train to the largest stage, score each smaller one on the prefix.

A *stage* is a value of the one parameter that says how many rounds or trees there are. Adapters, one file each, know
for which estimators and parameters a prefix is bitwise equal to a separate fit; what they do not know is not staged.
Runs on workers: no pyspark, and no library that the estimator does not come from.
"""

from sparksweep.search.staging.scorers import can_share_scoring
from sparksweep.search.staging.stages import can_stage, fit_stages, staged_parameter

__all__ = ["can_share_scoring", "can_stage", "fit_stages", "staged_parameter"]
