/** Equal failures print equally: the first free names, and constraints in the order of their events. */
import { actorNames } from '../generate.ts';
import { formatName, nameOf } from '../names.ts';
import { type Constraint, formatConstraint } from '../order.ts';
import { runPlan } from '../schedule.ts';
import type { Attempts } from './attempts.ts';
import { rename } from './plans.ts';

/** Actors and keys get the first free names, constraints the order of their events. */
export function canonicalise(work: Attempts): void {
  const names = actorNames(work.session.configuration);
  const actors = new Map<string, string>();
  const used = new Set<string>();
  for (const { actor } of work.best.program) {
    const group = [names.vcpu, names.host].find((list) => list.includes(actor));
    // hardware actors belong to the PE of a vCPU and move with it
    const renamed = group?.find((name) => !used.has(name)) ?? actor;
    actors.set(actor, renamed);
    used.add(renamed);
  }
  const isMoved = [...actors].some(([from, to]) => from !== to);
  const hasHardware = work.best.program.some(({ actor }) => names.pe.includes(actor));
  const mentionsPe = work.best.order.some(
    ({ before, after }) => before.pe !== undefined || after.pe !== undefined,
  );
  const renamedActors = isMoved && !hasHardware && !mentionsPe ? actors : new Map<string, string>();
  const renamed = rename(work.best, renamedActors);
  if (work.fails(renamed)) work.best = renamed;
  const run = runPlan(work.session, work.best);
  const positions = new Map<string, number>();
  run.recorder.events.forEach((event, index) => {
    const { machine, directory } = work.session;
    positions.set(formatName(nameOf(machine, directory, event, event.occurrence)), index);
  });
  const at = ({ before, after }: Constraint): number =>
    Math.max(positions.get(formatName(before)) ?? 0, positions.get(formatName(after)) ?? 1e9);
  const order = [...work.best.order].sort(
    (a, b) => at(a) - at(b) || (formatConstraint(a) < formatConstraint(b) ? -1 : 1),
  );
  const sorted = { ...work.best, order };
  if (work.fails(sorted)) work.best = sorted;
}
