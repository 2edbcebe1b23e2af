/** A schedule in which a walk holds an invalidation back is derived so that it replays. */
import test from 'ava';
import { Executor } from '../../fuzz/execution.ts';
import { deriveSchedule, runAnswers, runPlan } from '../../fuzz/schedule.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { findSystem } from '../../models/registry.ts';

for (const [seed, from] of [
  [6, 0],
  [22, 100],
] as const) {
  test(`every failing execution of campaign ${seed} replays from its derived order`, (t) => {
    const system = findSystem('canary')!;
    const bugs = ['canary-free-before-invalidation'];
    const sessions = new Sessions();
    const target = { system, configurations: system.configurations, bugs };
    const executor = new Executor(seed, [target], undefined, sessions);
    let failing = 0;
    for (let index = from; index < from + 120; index += 1) {
      const { session, draft, result } = executor.run(index);
      if (result.violation === undefined) continue;
      failing += 1;
      const plan = { program: draft.program, parameters: draft.parameters, order: [], choices: [] };
      const exact = runAnswers(session, plan, session.answers)!;
      const derived = { ...plan, ...deriveSchedule(session, exact.recorder) };
      t.is(runPlan(session, derived).violation?.rule, result.violation.rule, `execution ${index}`);
    }
    t.true(failing > 3, `${failing} executions failed`);
  });
}
