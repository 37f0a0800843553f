"""What a search leaves behind: the run folder, written whole, and the history of runs read back.

``folder`` writes a run, ``history`` reads runs, ``tables`` and ``sweeping_results`` give the results their forms,
``models`` keeps fitted estimators, ``values`` turns parameters into what JSON and people can read.
"""

from sparksweep.runs.events import EventLog
from sparksweep.runs.folder import RunFolder, new_run_id
from sparksweep.runs.history import Run, list_runs, load_run
from sparksweep.runs.sweeping_results import sweeping_results
from sparksweep.runs.tables import results_table

__all__ = ["EventLog", "Run", "RunFolder", "list_runs", "load_run", "new_run_id", "results_table", "sweeping_results"]
