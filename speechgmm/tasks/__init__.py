"""The tasks, a folder each: mathematics, training, evaluation, model file, report and command. Imports none of them.

A new task is its folder and one line here, which puts it into the engine's table; it is loaded when it is asked for.
"""

from speechgmm.engine.task import register, register_report
from speechgmm.io.model_kinds import register_kind

register("classification", "speechgmm.tasks.classification.task:TASK")
register("segments", "speechgmm.tasks.segments.task:TASK", task="classification", section="segments")
register("verification", "speechgmm.tasks.verification.task:TASK")
register("recognition", "speechgmm.tasks.recognition.task:TASK")
register("anomaly", "speechgmm.tasks.anomaly.task:TASK")

register_report("speechgmm.report.page")

register_kind("classes", "speechgmm.tasks.classification", "models of classes", "score", keys=())
register_kind("segments", "speechgmm.tasks.segments", "models of segments with known boundaries", "score")
register_kind("recogniser", "speechgmm.tasks.recognition", "a recogniser", "recognise")
register_kind("anomaly", "speechgmm.tasks.anomaly", "an anomaly-detection model", "score")
register_kind("diarizer", "speechgmm.tasks.diarization", "a diarizer (train-diarizer makes one)", "diarize")
CLAIMS = ("calibration", "cohort", "method")  # keys of the header, by which claims are scored
register_kind("claims", "speechgmm.tasks.verification", "models of classes", "score", keys=CLAIMS, extends="classes")
