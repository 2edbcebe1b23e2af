/** The TLB of a device: reached by the commands that name it, and by nothing else. */
import test from 'ava';
import { configurationsOf } from '../../campaign/options.ts';
import { actorNames, roleOf } from '../../fuzz/generate.ts';
import { parseConstraint } from '../../fuzz/order.ts';
import { runPlan } from '../../fuzz/schedule.ts';
import { Session } from '../../fuzz/session.ts';
import { xenArm } from '../../models/xen-arm/index.ts';
import { Event } from '../../sim/event.ts';
import { Tlbi } from '../../sim/invalidation.ts';

const [CONFIGURATION] = configurationsOf(xenArm, 'p2m-toy-device', undefined);

test('a configuration with a device has an actor for it, of its own role', (t) => {
  const names = actorNames(CONFIGURATION!);
  t.deepEqual(names.device, ['device0']);
  t.deepEqual(
    names.all.map((name) => roleOf(names, name)),
    ['vcpu', 'vcpu', 'host', 'host', 'device', 'pe', 'pe'],
  );
});

test('commands reach devices only, instructions reach PEs only', (t) => {
  const session = new Session(xenArm, CONFIGURATION!);
  const order = [
    'device0.d1/end < host.r1/toolstack.hold',
    'vcpu0.r1/end < host.r1/toolstack.hold',
  ];
  const run = runPlan(session, {
    program: [
      { actor: 'vcpu0', operations: [{ key: 'r1', operation: 'read', args: [0] }] },
      { actor: 'host', operations: [{ key: 'r1', operation: 'remove-pages', args: [0, 1] }] },
      { actor: 'device0', operations: [{ key: 'd1', operation: 'dma-read', args: [0] }] },
    ],
    parameters: { mapped: 1 },
    order: order.map((text) => {
      const constraint = parseConstraint(text);
      if (typeof constraint === 'string') throw new TypeError(constraint);
      return constraint;
    }),
    choices: [],
  });
  t.is(run.violation, undefined);
  const { trace, pes } = session.machine;
  const device = pes.findIndex(({ isDevice }) => isDevice);
  const arrivals = Array.from({ length: trace.count }, (_, row) => trace.at(row)).filter(
    ({ kind }) => kind === Event.InvalidateArrive,
  );
  const atDevice = arrivals.filter(({ b }) => b === device);
  t.true(atDevice.length > 0 && arrivals.length > atDevice.length);
  for (const { a, b } of arrivals) t.is(a === Tlbi.DeviceRange, b === device);
  t.is(pes[device]!.tlb.find(1, 1, 0, 0), -1);
});
