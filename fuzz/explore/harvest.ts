/** What the executions of a search that came to their end have shown. */
import type { Violation } from '../../oracles/oracle.ts';
import type { Session } from '../session.ts';
import { coarseSignature } from '../signature.ts';
import { endState } from './end-state.ts';
import type { Lanes } from './fingerprint.ts';
import { KnownKeys } from './known.ts';
import type { ExploredFinding } from './result.ts';

export class Harvest {
  /** Fingerprints of complete executions. */
  readonly ends = new KnownKeys();
  readonly endStates = new Set<string>();
  readonly findings = new Map<string, ExploredFinding>();
  truncated = 0;

  clear(): void {
    this.ends.clear();
    this.endStates.clear();
    this.findings.clear();
    this.truncated = 0;
  }

  /** The run that the session has just made is over. */
  add(
    session: Session,
    violation: Violation | undefined,
    { high, low }: Lanes,
    switches: number,
    answersChanged: number,
  ): void {
    if (session.machine.inTail) this.truncated += 1;
    const before = this.ends.size;
    this.ends.reach(high, low, switches);
    const isNew = this.ends.size > before;
    if (violation === undefined) {
      if (isNew) this.endStates.add(endState(session.machine));
      return;
    }
    const signature = coarseSignature(session, violation);
    const known = this.findings.get(signature);
    if (known !== undefined && isNew) known.hits += 1;
    if (known !== undefined && known.switches <= switches) return;
    this.findings.set(signature, {
      signature,
      violation,
      switches,
      answersChanged,
      answers: session.answers,
      hits: known?.hits ?? 1,
    });
  }
}
