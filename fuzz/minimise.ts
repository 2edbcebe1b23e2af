/**
 * The joint minimiser: program, schedule, choices, parameters and configuration, smallest first in
 * that order, guarded by the coarse signature. Deterministic, budgeted in executions, and anytime:
 * every improvement is handed to `improved` at once.
 */
import type { Configuration } from '../models/system.ts';
import type { Answers } from '../sim/scheduler.ts';
import type { CaseChoice } from './case.ts';
import { actorNames, mintKey } from './generate.ts';
import { END, formatName, nameOf } from './names.ts';
import { type Constraint, formatConstraint } from './order.ts';
import { operationCount, type Program, type ProgramOperation } from './program.ts';
import { Recorder } from './recorder.ts';
import { deriveSchedule, type Plan, type PlannedRun, runAnswers, runPlan } from './schedule.ts';
import { search } from './search.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { coarseSignature } from './signature.ts';

export interface Minimised {
  readonly session: Session;
  readonly plan: Plan;
  readonly run: PlannedRun;
  readonly executions: number;
  /** Coarse signatures of other failures met on the way, with the plan that showed each. */
  readonly others: ReadonlyMap<string, Plan>;
}

export interface MinimiseOptions {
  /** Executions that may be spent. */
  readonly budget: number;
  readonly improved?: (best: Minimised) => void;
}

export const MINIMISE_BUDGET = 6000;
/** Machine events that the tried plans may take together: what bounds real geometries. */
const EVENTS_MAX = 2_000_000;
/** Executions of one search on a smaller program whose stored order no longer fails. */
const RESEARCH_RUNS = 96;
const RESEARCH_SEED = 20170222;
/** Executions and failing schedules that are looked at for one that the correct model can replay. */
const REACHABLE_RUNS = 3000;
const REACHABLE_CANDIDATES = 60;

/** Shrinks a failing run; undefined when its schedule cannot be replayed (our defect, or no failure). */
export function minimise(
  sessions: Sessions,
  session: Session,
  plan: Plan,
  answers: Answers | undefined,
  options: MinimiseOptions,
): Minimised | undefined {
  const shrinker = new Shrinker(sessions, session, options);
  return shrinker.start(plan, answers) ? shrinker.shrink() : undefined;
}

class Shrinker {
  readonly #sessions: Sessions;
  readonly #options: MinimiseOptions;
  #session: Session;
  #best!: Plan;
  #signature = '';
  #executions = 0;
  #events = 0;
  readonly #tried = new Map<string, boolean>();
  readonly #others = new Map<string, Plan>();

  constructor(sessions: Sessions, session: Session, options: MinimiseOptions) {
    this.#sessions = sessions;
    this.#session = session;
    this.#options = options;
  }

  /** Reproduces twice, and turns the recorded answers into constraints that reproduce. */
  start(plan: Plan, answers: Answers | undefined): boolean {
    let current = plan;
    if (answers !== undefined) {
      const exact = runAnswers(this.#session, plan, answers);
      if (exact?.violation === undefined) return false;
      this.#signature = coarseSignature(this.#session, exact.violation);
      current = { ...plan, ...deriveSchedule(this.#session, exact.recorder) };
    } else {
      const planned = runPlan(this.#session, plan);
      if (planned.violation === undefined) return false;
      this.#signature = coarseSignature(this.#session, planned.violation);
    }
    this.#best = current;
    return this.#fails(current) && this.#reproduces(current);
  }

  shrink(): Minimised {
    // executions of a real geometry cost a hundred times as much: leave it first if the failure does
    if (this.#session.configuration.isReal) this.#shrinkConfiguration();
    this.#best = this.#withoutUnreachable(this.#best);
    this.#shrinkOrder();
    this.#report();
    for (let before = ''; before !== this.#text() && this.#hasBudget; ) {
      before = this.#text();
      this.#shrinkProgram();
      this.#shrinkArguments();
      this.#shrinkParameters();
      this.#shrinkChoices();
      this.#shrinkOrder();
      this.#report();
    }
    this.#shrinkConfiguration();
    this.#preferReachable();
    this.#shrinkChoices();
    this.#shrinkOrder();
    this.#canonicalise();
    return this.#result();
  }

  get #hasBudget(): boolean {
    return this.#executions < this.#options.budget && this.#events < EVENTS_MAX;
  }

  #text(): string {
    return planText(this.#best);
  }

  #report(): void {
    this.#options.improved?.(this.#result());
  }

  #result(): Minimised {
    const run = runPlan(this.#session, this.#best);
    return {
      session: this.#session,
      plan: this.#best,
      run,
      executions: this.#executions,
      others: this.#others,
    };
  }

  /** True when the plan fails with our signature. Each plan is asked once. */
  #fails(plan: Plan): boolean {
    const text = planText(plan);
    const known = this.#tried.get(text);
    if (known !== undefined) return known;
    const isSame = this.#reproduces(plan);
    this.#tried.set(text, isSame);
    return isSame;
  }

  #reproduces(plan: Plan): boolean {
    this.#executions += 1;
    const { violation, broken, events } = runPlan(this.#session, plan);
    this.#events += events;
    // a constraint that had to be given up says nothing: such a plan is no case
    if (violation === undefined || broken.length > 0) return false;
    const signature = coarseSignature(this.#session, violation);
    if (signature === this.#signature) return true;
    if (!this.#others.has(signature)) this.#others.set(signature, plan);
    return false;
  }

  #accept(plan: Plan): boolean {
    if (!this.#hasBudget || !this.#fails(plan)) return false;
    this.#best = plan;
    return true;
  }

  /** Accepts a smaller plan as it is, or with a schedule that a short search finds for it. */
  #acceptOrSearch(plan: Plan): boolean {
    if (this.#accept(plan)) return true;
    if (!this.#hasBudget) return false;
    const session = this.#session;
    let found: Plan | undefined;
    let recorder: Recorder | undefined;
    this.#executions += search(
      session,
      plan,
      RESEARCH_SEED,
      RESEARCH_RUNS,
      (scheduler) => {
        recorder = new Recorder(scheduler);
        return recorder;
      },
      ({ violation, events }) => {
        this.#events += events;
        if (violation === undefined || coarseSignature(session, violation) !== this.#signature)
          return false;
        found = { ...plan, ...deriveSchedule(session, recorder!) };
        return true;
      },
    );
    if (found === undefined || !this.#accept(found)) return false;
    this.#best = this.#withoutUnreachable(this.#best);
    this.#shrinkOrder();
    return true;
  }

  // ---- passes ----

  /** Large parts first, then single constraints, until nothing can go. */
  #shrinkOrder(): void {
    this.#shrinkList(
      () => this.#best.order,
      (order) => ({ ...this.#best, order }),
    );
  }

  #shrinkChoices(): void {
    this.#shrinkList(
      () => this.#best.choices,
      (choices) => ({ ...this.#best, choices }),
    );
  }

  #shrinkList<Item>(
    items: () => readonly Item[],
    withItems: (items: readonly Item[]) => Plan,
  ): void {
    if (items().length > 0 && this.#accept(withItems([]))) return;
    for (
      let size = Math.ceil(items().length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let from = 0; from < items().length && this.#hasBudget; ) {
        const rest = [...items().slice(0, from), ...items().slice(from + size)];
        if (!this.#accept(withItems(rest))) from += size;
      }
    }
  }

  #shrinkProgram(): void {
    for (const { actor } of this.#best.program) {
      this.#acceptOrSearch(
        withProgram(
          this.#best,
          this.#best.program.filter((part) => part.actor !== actor),
        ),
      );
    }
    for (const { actor, operations } of this.#best.program) {
      for (const { key } of operations) {
        const program = this.#best.program
          .map((part) =>
            part.actor === actor
              ? { actor, operations: part.operations.filter((operation) => operation.key !== key) }
              : part,
          )
          .filter((part) => part.operations.length > 0);
        if (operationCount(program) < operationCount(this.#best.program)) {
          this.#acceptOrSearch(withProgram(this.#best, program));
        }
      }
    }
  }

  /** Every page that is named gets the smallest number that still fails; then each argument alone. */
  #shrinkArguments(): void {
    const { specs, configuration } = this.#session;
    const map = (change: (operation: ProgramOperation) => readonly number[]): Plan =>
      withProgram(
        this.#best,
        this.#best.program.map(({ actor, operations }) => ({
          actor,
          operations: operations.map((operation) => {
            const args = change(operation);
            return {
              ...operation,
              args: specs.get(operation.operation)!.constrain?.(args, configuration) ?? args,
            };
          }),
        })),
      );
    const isPage = (operation: ProgramOperation, index: number): boolean =>
      specs.get(operation.operation)!.parameters[index]!.kind === 'page';
    const pages = new Set(
      this.#best.program.flatMap(({ operations }) =>
        operations.flatMap((operation) =>
          operation.args.filter((_, index) => isPage(operation, index)),
        ),
      ),
    );
    for (const page of [...pages].sort((a, b) => a - b)) {
      for (const smaller of smallerThan(page, 0)) {
        const moved = map((operation) =>
          operation.args.map((arg, index) =>
            isPage(operation, index) && arg === page ? smaller : arg,
          ),
        );
        if (this.#accept(moved)) break;
      }
    }
    for (const { actor, operations } of this.#best.program) {
      for (const { key, operation, args } of operations) {
        args.forEach((arg, index) => {
          const least = specs.get(operation)!.parameters[index]!.kind === 'count' ? 1 : 0;
          for (const smaller of smallerThan(arg, least)) {
            const changed = withProgram(
              this.#best,
              this.#best.program.map((part) => ({
                actor: part.actor,
                operations: part.operations.map((one) =>
                  part.actor === actor && one.key === key
                    ? { ...one, args: one.args.map((value, i) => (i === index ? smaller : value)) }
                    : one,
                ),
              })),
            );
            if (this.#acceptOrSearch(changed)) break;
          }
        });
      }
    }
  }

  #shrinkParameters(): void {
    for (const { name, default: usual } of this.#session.configuration.parameters) {
      if (this.#best.parameters[name] === undefined) continue;
      const { [name]: value, ...rest } = this.#best.parameters;
      // a parameter that has its default is not written down
      if (value === usual) this.#best = { ...this.#best, parameters: rest };
      else this.#acceptOrSearch({ ...this.#best, parameters: rest });
    }
  }

  /** The first configuration of the system in which the program runs and still fails. */
  #shrinkConfiguration(): void {
    const { system, configuration, bugs } = this.#session;
    for (const simpler of system.configurations) {
      if (simpler === configuration || !this.#hasBudget) break;
      if (simpler.kind !== configuration.kind || !fits(this.#best, simpler, this.#session))
        continue;
      const previous = this.#session;
      this.#session = this.#sessions.get(system.id, simpler.id, bugs);
      this.#tried.clear();
      if (this.#acceptOrSearch(this.#best)) return;
      this.#session = previous;
      this.#tried.clear();
    }
  }

  /** Drops constraints that name events which the correct model never reaches, where it does no harm. */
  #withoutUnreachable(plan: Plan): Plan {
    if (this.#session.bugs.length === 0) return plan;
    const filtered = { ...plan, order: reachableOnly(plan.order, this.#reached(plan)) };
    return filtered.order.length < plan.order.length && this.#fails(filtered) ? filtered : plan;
  }

  /**
   * A case must be replayable on the correct model. When the order names events that only the bug
   * makes happen, other failing schedules are looked for until one does without them.
   */
  #preferReachable(): void {
    const session = this.#session;
    if (session.bugs.length === 0 || !this.#hasBudget) return;
    const plan = this.#best;
    const reached = this.#reached(plan);
    if (reachableOnly(plan.order, reached).length === plan.order.length) return;
    const candidates: Plan[] = [];
    let recorder: Recorder | undefined;
    this.#executions += search(
      session,
      plan,
      RESEARCH_SEED,
      REACHABLE_RUNS,
      (scheduler) => {
        recorder = new Recorder(scheduler);
        return recorder;
      },
      ({ violation, events }) => {
        this.#events += events;
        if (violation === undefined || coarseSignature(session, violation) !== this.#signature)
          return false;
        const { order, choices } = deriveSchedule(session, recorder!);
        candidates.push({ ...plan, order: reachableOnly(order, reached), choices });
        return candidates.length >= REACHABLE_CANDIDATES;
      },
    );
    for (const candidate of candidates) if (this.#accept(candidate)) return;
  }

  /** Names of the events that a sample of the correct model's executions reaches. */
  #reached(plan: Plan): ReadonlySet<string> {
    const { system, configuration } = this.#session;
    const correct = this.#sessions.get(system.id, configuration.id, []);
    const reached = new Set<string>();
    let current: Recorder | undefined;
    this.#executions += search(
      correct,
      plan,
      RESEARCH_SEED,
      RESEARCH_RUNS / 2,
      (scheduler) => {
        current = new Recorder(scheduler);
        return current;
      },
      () => {
        for (const event of current?.events ?? []) {
          reached.add(
            formatName(nameOf(correct.machine, correct.directory, event, event.occurrence)),
          );
        }
        return false;
      },
    );
    return reached;
  }

  /** Actors and keys get the first free names, constraints the order of their events. */
  #canonicalise(): void {
    const names = actorNames(this.#session.configuration);
    const actors = new Map<string, string>();
    const used = new Set<string>();
    for (const { actor } of this.#best.program) {
      const group = [names.vcpu, names.host].find((list) => list.includes(actor));
      // hardware actors belong to the PE of a vCPU and move with it
      const renamed = group?.find((name) => !used.has(name)) ?? actor;
      actors.set(actor, renamed);
      used.add(renamed);
    }
    const isMoved = [...actors].some(([from, to]) => from !== to);
    const hasHardware = this.#best.program.some(({ actor }) => names.pe.includes(actor));
    const mentionsPe = this.#best.order.some(
      ({ before, after }) => before.pe !== undefined || after.pe !== undefined,
    );
    const renamedActors =
      isMoved && !hasHardware && !mentionsPe ? actors : new Map<string, string>();
    const renamed = rename(this.#best, renamedActors);
    if (this.#fails(renamed)) this.#best = renamed;
    const run = runPlan(this.#session, this.#best);
    const positions = new Map<string, number>();
    run.recorder.events.forEach((event, index) => {
      const { machine, directory } = this.#session;
      positions.set(formatName(nameOf(machine, directory, event, event.occurrence)), index);
    });
    const at = ({ before, after }: Constraint): number =>
      Math.max(positions.get(formatName(before)) ?? 0, positions.get(formatName(after)) ?? 1e9);
    const order = [...this.#best.order].sort(
      (a, b) => at(a) - at(b) || (formatConstraint(a) < formatConstraint(b) ? -1 : 1),
    );
    const sorted = { ...this.#best, order };
    if (this.#fails(sorted)) this.#best = sorted;
  }
}

function reachableOnly(
  order: readonly Constraint[],
  reached: ReadonlySet<string>,
): readonly Constraint[] {
  return order.filter(
    ({ before, after }) =>
      (before.site === END || reached.has(formatName(before))) && reached.has(formatName(after)),
  );
}

/** Candidates below a value, the smallest first. */
function smallerThan(value: number, least: number): readonly number[] {
  const candidates = [least, least + 1, value >>> 1, value - 1];
  return [...new Set(candidates)].filter((candidate) => candidate >= least && candidate < value);
}

/** The plan with another program, without constraints and choices about operations that are gone. */
function withProgram(plan: Plan, program: Program): Plan {
  const has = ({ actor, key }: { actor: string; key: string }): boolean =>
    program.some(
      (part) =>
        part.actor === actor && (!/\d/.test(key) || part.operations.some((one) => one.key === key)),
    );
  return {
    ...plan,
    program,
    order: plan.order.filter(({ before, after }) => has(before) && has(after)),
    choices: plan.choices.filter(({ event }) => has(event)),
  };
}

function rename(plan: Plan, actors: ReadonlyMap<string, string>): Plan {
  const keys = new Map<string, string>();
  const program = plan.program.map(({ actor, operations }) => {
    const list: ProgramOperation[] = [];
    for (const operation of operations) {
      const key = mintKey(list, operation.operation);
      keys.set(`${actor}.${operation.key}`, key);
      list.push({ ...operation, key });
    }
    return { actor: actors.get(actor) ?? actor, operations: list };
  });
  const renameEvent = <Name extends { actor: string; key: string }>(name: Name): Name => ({
    ...name,
    actor: actors.get(name.actor) ?? name.actor,
    key: keys.get(`${name.actor}.${name.key}`) ?? name.key,
  });
  return {
    ...plan,
    program,
    order: plan.order.map(({ before, after }) => ({
      before: renameEvent(before),
      after: renameEvent(after),
    })),
    choices: plan.choices.map(
      ({ event, answer }): CaseChoice => ({ event: renameEvent(event), answer }),
    ),
  };
}

/** Whether a plan's parameters and its program's actors, operations and arguments exist in a configuration. */
export function fits(
  plan: Pick<Plan, 'program' | 'parameters'>,
  configuration: Configuration,
  session: Session,
): boolean {
  const { all } = actorNames(configuration);
  const known = configuration.parameters.map(({ name }) => name);
  if (!Object.keys(plan.parameters).every((name) => known.includes(name))) return false;
  return plan.program.every(
    ({ actor, operations }) =>
      all.includes(actor) &&
      operations.every(({ operation, args }) => {
        const spec = session.specs.get(operation)!;
        if (spec.isIn?.(configuration) === false) return false;
        const isInRange = args.every(
          (arg, index) => arg <= spec.parameters[index]!.max(configuration),
        );
        const constrained = spec.constrain?.(args, configuration) ?? args;
        return isInRange && constrained.every((value, index) => value === args[index]);
      }),
  );
}

function planText({ parameters, program, order, choices }: Plan): string {
  return JSON.stringify([parameters, program, order.map(formatConstraint), choices]);
}
