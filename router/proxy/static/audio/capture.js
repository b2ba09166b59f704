// Runs in the audio thread: the microphone's samples become 40 ms pieces of 24 kHz PCM16.
// A context that runs at another rate is resampled by averaging what falls into each output sample.

const RATE = 24000;
const PIECE = RATE * 0.04;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Int16Array(PIECE);
    this.filled = 0;
    this.step = sampleRate / RATE;
    this.position = 0; // input samples gone into the output sample being made
    this.sum = 0;
    this.energy = 0;
  }

  process(inputs) {
    const samples = inputs[0]?.[0];
    if (samples) for (const sample of samples) this.take(sample);
    return true;
  }

  take(sample) {
    let left = 1;
    while (left > 0) {
      const share = Math.min(left, this.step - this.position);
      this.sum += sample * share;
      this.position += share;
      left -= share;
      if (this.step - this.position > 1e-9) return;
      this.emit(this.sum / this.step);
      this.position = 0;
      this.sum = 0;
      if (left < 1e-9) return;
    }
  }

  emit(value) {
    const clipped = Math.max(-1, Math.min(1, value));
    this.piece[this.filled] = Math.round(clipped * 32767);
    this.energy += clipped * clipped;
    this.filled += 1;
    if (this.filled < PIECE) return;
    const level = Math.sqrt(this.energy / PIECE);
    this.port.postMessage({ pcm: this.piece.buffer, level }, [this.piece.buffer]);
    this.piece = new Int16Array(PIECE);
    this.filled = 0;
    this.energy = 0;
  }
}

registerProcessor("capture", Capture);
