"""pipecat's own turn analyser and ours, on the same recordings with the same model: what each of them sees and says."""

import sys
import time
from pathlib import Path

import numpy as np
from report import GIVEN, tell

sys.path.insert(0, GIVEN["root"])

from pipecat.audio.turn.smart_turn._whisper_features import compute_whisper_log_mel_features
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

from realtime.stages.smart_turn import SAMPLES, SmartTurn, features
from realtime.stages.weights import smart_turn_path

path = smart_turn_path("auto")
ours, theirs = SmartTurn(path), LocalSmartTurnAnalyzerV3()
rows, spent_s = [], 0.0
for name, place in GIVEN["recordings"].items():
    samples = np.fromfile(Path(place), dtype="<i2")
    line = samples.astype(np.float32) / 32768
    window = np.pad(line, (max(0, SAMPLES - len(line)), 0))[-SAMPLES:]
    apart = float(np.abs(features(samples)[0] - compute_whisper_log_mel_features(window)).max())
    before_s = time.process_time()
    mine = ours.score(samples)
    spent_s += time.process_time() - before_s
    rows.append([name, apart, mine, theirs._predict_endpoint(line)["probability"]])
before_s = time.process_time()
for _ in range(20):
    features(samples)
tell(
    model=str(path),
    rows=rows,
    inference_ms=spent_s / len(rows) * 1000,
    features_ms=(time.process_time() - before_s) / 20 * 1000,
)
