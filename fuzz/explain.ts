/**
 * Explains a violation in at most EXPLANATION_LINES_MAX lines: lanes of what each actor did, the facts
 * (fuzz/explain/causes.ts), how it came about, and which order or answer decided it.
 */
import { causes } from './explain/causes.ts';
import { chain } from './explain/chain.ts';
import { decisionText, pairRows } from './explain/decision-text.ts';
import { type Decisive, findDecisive } from './explain/decisive.ts';
import { lanes } from './explain/lanes.ts';
import type { Minimised } from './minimise.ts';
import { type Plan, type PlannedRun, runAnswers } from './schedule.ts';
import type { Session } from './session.ts';

export const EXPLANATION_LINES_MAX = 40;
/** Fewer lines of lanes than this tell no story: the chain is shortened first. */
const LANES_MIN = 14;
const CHAIN_MAX = 12;

/**
 * Everything that a reader is shown about a run.
 * @param known what decided it, when that has been found already
 */
export function explain(
  session: Session,
  plan: Plan,
  run: PlannedRun,
  known?: Decisive,
): readonly string[] {
  const failing = runAnswers(session, plan, run.answers);
  if (failing?.violation === undefined)
    return lanes(session, { violation: undefined, room: EXPLANATION_LINES_MAX - 2 });
  const decisive = known ?? findDecisive(session, plan, failing);
  const decision = decisionText(session, plan, failing, decisive);
  return composed(session, plan, failing, decisive, decision);
}

function composed(
  session: Session,
  plan: Plan,
  failing: PlannedRun,
  decisive: Decisive,
  decision: readonly string[],
): readonly string[] {
  // the search and the passing run came in between: the trace of the failing run again
  const { violation } = runAnswers(session, plan, failing.answers)!;
  const [what, how, promise] = causes(session, plan, violation!);
  const facts = [what!, how!, promise!];
  const rest = EXPLANATION_LINES_MAX - facts.length - decision.length - 3;
  const story = chain(session, plan, violation!, Math.min(CHAIN_MAX, rest - LANES_MIN));
  const marks = pairRows(decisive);
  const room = rest - story.length;
  return [...lanes(session, { violation, room, marks }), '', ...facts, ...story, '', ...decision];
}

/** Comment on top of a case: the violation and its causes in a few lines. */
export function describeFinding({
  session,
  plan,
  run,
}: Pick<Minimised, 'session' | 'plan' | 'run'>): string {
  const violation = runAnswers(session, plan, run.answers)?.violation;
  if (violation === undefined) return 'No oracle objects.';
  return causes(session, plan, violation)
    .map((line) => line.trim())
    .join('\n');
}
