/** Asks the oracle break-before-make about the stores of a litmus run, without stopping the run. */
import { breakBeforeMake } from '../../oracles/break-before-make.ts';
import { Report } from '../../oracles/oracle.ts';
import type { Machine } from '../../sim/machine.ts';

/** More events than a run has. */
const FOR_EVER = 1_000_000;

export class BreakJudge {
  readonly #report: Report;

  constructor(machine: Machine) {
    this.#report = new Report(machine);
    this.#report.aftermath = FOR_EVER;
    const scene = { machine, report: this.#report, duties: [], countBase: -1, invariants: [] };
    machine.listen(breakBeforeMake.create(scene), breakBeforeMake.listens);
  }

  reset(): void {
    this.#report.reset();
  }

  get objects(): boolean {
    return this.#report.violation !== undefined;
  }
}
