/** Tasks in flight: launches them, lets its owner wait for the next to end, and passes on what they throw. */
export class Flights {
  count = 0;
  #wake: () => void = () => {};
  #ended = Promise.resolve();
  #fault: { readonly error: unknown } | undefined;

  constructor() {
    this.#arm();
  }

  /** @param flight ends when its result has been dealt with */
  launch(flight: Promise<void>): void {
    this.count += 1;
    flight
      .catch((error: unknown) => {
        this.#fault ??= { error };
      })
      .finally(() => {
        this.count -= 1;
        this.wake();
      });
  }

  wake(): void {
    this.#wake();
  }

  /** Until a flight has ended or somebody called `wake`. Throws what the first that failed threw. */
  async next(): Promise<void> {
    await this.#ended;
    this.#arm();
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  #arm(): void {
    this.#ended = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
