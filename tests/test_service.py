"""The web service of docs/how-to/service.md: the page's own code, with FastAPI's test client."""

import io
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import hum

import speechgmm as sg

REPOSITORY = Path(__file__).parents[1]
WAV = {"Content-Type": "audio/wav"}

pytest.importorskip("fastapi", reason="the service is made with fastapi, which is not installed (extra dev)")
pytest.importorskip("httpx2", reason="the test client of fastapi needs httpx2, which is not installed (extra dev)")


def wav(samples: np.ndarray, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of the page's blocks, run one after another."""
    shutil.copytree(REPOSITORY / "tests" / "kept" / "class", tmp_path / "runs" / "words")
    (tmp_path / "recording.wav").write_bytes(wav(hum(1, 140.0)))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    text = (REPOSITORY / "docs/how-to/service.md").read_text(encoding="utf-8")
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, names)
    return names


def test_the_service_answers_as_the_model_does(page: dict[str, Any]) -> None:
    samples = hum(3, 180.0)
    answer = page["client"].post("/score", content=wav(samples), headers=WAV).json()
    decoded, rate = soundfile.read(io.BytesIO(wav(samples)), dtype="float32")
    expected = sg.load("runs/words").score(decoded, rate)
    assert answer["decision"] == expected.decision
    assert answer["labels"] == list(expected.labels)
    np.testing.assert_array_equal(answer["log_likelihoods"], expected.log_likelihoods)


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"<html>no recording</html>", 422, "Format not recognised"),
        (wav(np.zeros(8000)), 422, "zero"),
        (wav(hum(1, 140.0, 0.002)), 422, "short"),
        (bytes(10_000_001), 413, "at most"),
    ],
    ids=["text", "silent", "short", "large"],
)
def test_a_recording_that_cannot_be_used_is_refused_with_the_reason(
    page: dict[str, Any], content: bytes, status: int, reason: str
) -> None:
    answer = page["client"].post("/score", content=content, headers=WAV)
    assert answer.status_code == status
    assert reason in answer.json()["detail"]


def test_requests_at_the_same_time_get_their_own_answers(page: dict[str, Any]) -> None:
    recordings = [wav(hum(n, 100.0 + 40 * (n % 4))) for n in range(16)]

    def ask(recording: bytes) -> dict[str, Any]:
        answer: dict[str, Any] = page["client"].post("/score", content=recording, headers=WAV).json()
        return answer

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, recordings)) == [ask(one) for one in recordings]
