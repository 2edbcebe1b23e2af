/**
 * How many executions a search without pruning would take, within the same bounds: an estimate from random
 * descents, each weighted by the inverse of its probability (Knuth 1975, "Estimating the efficiency of
 * backtrack programs"). Exceptions from the default are drawn rarely, so that descents spread over the tree.
 */
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import { Random } from '../random.ts';
import { limitsFor, type Session } from '../session.ts';
import { Fingerprint } from './fingerprint.ts';
import type { Bounds, Subject } from './result.ts';
import { Spinners } from './spin.ts';

const SEED = 19750101;
const DRAW = 1 << 20;

/** @returns executions of the unpruned search, estimated from `probes` descents */
export function estimateUnpruned(
  session: Session,
  plan: Subject,
  bounds: Bounds,
  probes: number,
): number {
  session.load(plan.program);
  const limits = limitsFor(session.configuration, plan.program);
  const probe = new Probe(session, bounds);
  let sum = 0;
  for (let i = 0; i < probes; i += 1) {
    session.run(plan.parameters, probe, limits);
    sum += probe.weight;
  }
  return sum / probes;
}

class Probe implements Scheduler {
  readonly id = 'probe';
  weight = 1;
  readonly #session: Session;
  readonly #bounds: Bounds;
  readonly #random = new Random(SEED, 1);
  readonly #fingerprint: Fingerprint;
  readonly #spinners: Spinners;
  #switches = 0;
  #changed = 0;
  #actor = -1;
  #source = -1;
  #isRetry = false;
  #length = 64;

  constructor(session: Session, bounds: Bounds) {
    this.#session = session;
    this.#bounds = bounds;
    this.#fingerprint = new Fingerprint(session);
    this.#spinners = new Spinners(session.machine);
  }

  begin(): void {
    this.#length = Math.max(32, this.#session.machine.events, this.#length);
    this.#fingerprint.begin();
    this.#spinners.begin();
    this.weight = 1;
    this.#switches = 0;
    this.#changed = 0;
    this.#actor = -1;
    this.#source = -1;
  }

  pick(machine: Scheduling): number {
    machine.grant = 0;
    if (this.#source >= 0) {
      this.#fingerprint.event(this.#source);
      this.#spinners.event(this.#source, this.#isRetry, this.#fingerprint.print);
    }
    const goesOn =
      this.#actor >= 0 && machine.isReady(this.#actor) && !this.#spinners.isAsleep(this.#actor);
    const mayLeave = this.#switches < (this.#bounds.switches ?? machine.events + 1);
    const others: number[] = [];
    for (const source of machine.ready.subarray(0, machine.readyCount)) {
      if (goesOn && source === this.#actor) continue;
      if (this.#spinners.isAsleep(source)) continue;
      if (!goesOn || source >= machine.actorCount || mayLeave) others.push(source);
    }
    others.sort((a, b) => a - b);
    const source = this.#draw(goesOn ? this.#actor : undefined, others) ?? machine.ready[0]!;
    this.#isRetry = this.#spinners.isRetry(source);
    this.#source = source;
    if (source >= machine.actorCount) return source;
    if (goesOn && source !== this.#actor) this.#switches += 1;
    this.#actor = source;
    return source;
  }

  choose(_machine: Scheduling, _site: number, alternatives: number): number {
    if (this.#changed >= (this.#bounds.answers ?? this.#changed + 1)) return 0;
    const others = Array.from({ length: alternatives - 1 }, (_, i) => i + 1);
    const answer = this.#draw(0, others) ?? 0;
    if (answer !== 0) this.#changed += 1;
    return answer;
  }

  /** The usual value mostly; another one about as often as the bounds allow in a run. */
  #draw(usual: number | undefined, others: readonly number[]): number | undefined {
    if (usual === undefined) {
      this.weight *= Math.max(1, others.length);
      return others[others.length > 1 ? this.#random.below(others.length) : 0];
    }
    if (others.length === 0) return usual;
    const share = Math.min(0.5, ((this.#bounds.switches ?? this.#length / 8) + 1) / this.#length);
    if (this.#random.below(DRAW) >= share * DRAW) {
      this.weight /= 1 - share;
      return usual;
    }
    this.weight *= others.length / share;
    return others[this.#random.below(others.length)]!;
  }
}
