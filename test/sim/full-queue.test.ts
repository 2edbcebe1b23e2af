/** The queue of invalidations on their way is of a fixed size: who finds it full waits, also one who was about to add to it. */
import test from 'ava';
import type { Program } from '../../fuzz/program.ts';
import { limitsFor, Session } from '../../fuzz/session.ts';
import { findSystem } from '../../models/registry.ts';
import { INVALIDATION_SLOTS } from '../../sim/invalidation.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';

/** Actors take turns, one event each; nothing arrives while one of them can go on. */
class Starving implements Scheduler {
  readonly id = 'starving';
  fullest = 0;
  #turn = 0;

  begin(): void {
    this.#turn = 0;
  }

  pick(machine: Scheduling): number {
    const ready = [...machine.ready.subarray(0, machine.readyCount)].sort((a, b) => a - b);
    const actors = ready.filter((source) => source < machine.actorCount);
    this.fullest = Math.max(this.fullest, ready.length - actors.length);
    this.#turn += 1;
    return actors.length > 0 ? actors[this.#turn % actors.length]! : ready[0]!;
  }

  choose(): number {
    return 0;
  }
}

test('five threads without a lock fill it, and all of them come to an end', (t) => {
  const system = findSystem('xen-arm')!;
  const configuration = system.configurations.find(({ id }) => id === 'pt-toy-untold')!;
  const session = new Session(system, configuration, { bugs: ['X15-update-without-lock'] });
  // no oracle stops the run: it is the machine that is tested
  session.scene.report.add = () => {};
  const change = (key: string, page: number) => ({
    key,
    operation: 'modify',
    args: [page, 8, 1, 1],
  });
  const use = (key: string) => ({ key, operation: 'xen-write', args: [3] });
  const program: Program = ['vcpu0', 'vcpu1', 'vcpu2', 'host'].map((actor) => ({
    actor,
    operations: [
      { key: 'm1', operation: 'map', args: [3, 16, 8, 1, 0] },
      use('x1'),
      change('m2', 3),
      change('m3', 4),
    ].filter(({ operation }) => actor !== 'host' || operation !== 'xen-write'),
  }));
  session.load(program);
  const scheduler = new Starving();
  t.notThrows(() => session.run({}, scheduler, limitsFor(configuration, program)));
  t.log(`${scheduler.fullest} on their way`);
  t.true(scheduler.fullest >= INVALIDATION_SLOTS);
  t.true(session.machine.finished);
});
