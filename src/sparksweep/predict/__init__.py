"""A model on a matrix: probabilities or predictions by row blocks, and the file that is handed in.

``prediction`` runs the model, ``submission`` writes what comes out; models are kept by `sparksweep.runs.models`.
"""

from sparksweep.predict.prediction import predict_proba_table, predict_table
from sparksweep.predict.submission import write_predictions, write_submission, write_values
from sparksweep.runs.models import load_model, save_model

__all__ = [
    "load_model",
    "predict_proba_table",
    "predict_table",
    "save_model",
    "write_predictions",
    "write_submission",
    "write_values",
]
