"""The tasks, a folder each: mathematics, training, evaluation, model file, report and command. Imports none of them.

A new task is its folder and one line here, which puts it into the table of tasks; it is loaded when it is asked for.
"""

from speechgmm.io.model_kinds import register_kind
from speechgmm.task_table import register, register_report

register(
    "segments",
    "speechgmm.tasks.segments",
    "which class (phone) each of its segments belongs to",
    task="classification",
    section="segments",
)
register("classification", "speechgmm.tasks.classification", "which class it belongs to")
register("verification", "speechgmm.tasks.verification", "whether it belongs to a claimed class (speaker)")
register("recognition", "speechgmm.tasks.recognition", "which words or phones are in it, in order")
register("anomaly", "speechgmm.tasks.anomaly", "whether it is unlike normal recordings")
register("clustering", "speechgmm.tasks.clustering", "which other recordings it belongs with, without their labels")
register("diarization", "speechgmm.tasks.diarization", "who speaks when in it")

register_report("speechgmm.report.page")

register_kind("classes", "speechgmm.tasks.classification", "models of classes", "score", keys=())
register_kind("segments", "speechgmm.tasks.segments", "models of segments, or of whole sounds", "score")
register_kind("recogniser", "speechgmm.tasks.recognition", "a recogniser", "recognise")
register_kind("anomaly", "speechgmm.tasks.anomaly", "an anomaly-detection model", "score")
register_kind("clustering", "speechgmm.tasks.clustering", "a background model for clustering", "cluster")
register_kind("diarizer", "speechgmm.tasks.diarization", "a diarizer (train-diarizer makes one)", "diarize")
CLAIMS = ("calibration", "cohort", "method")  # keys of the header, by which claims are scored
register_kind("claims", "speechgmm.tasks.verification", "models of classes", "score", keys=CLAIMS, extends="classes")
