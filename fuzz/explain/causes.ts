/**
 * The facts of a violation that its reader can check: who, which entry, which step made what survived,
 * which invalidation should have removed it, which promise was broken, which step used it.
 */
import type { Violation } from '../../oracles/oracle.ts';
import { describeRow, tlbiText } from '../describe.ts';
import type { Plan } from '../schedule.ts';
import { operationName, sentence } from '../sentence.ts';
import type { Session } from '../session.ts';
import { laterUse } from './aftermath.ts';
import { missedBy } from './invalidations.ts';

const INVALIDATIONS_SHOWN = 3;

/** The session holds the run that ended with the violation, and holds it again afterwards. */
export function causes(session: Session, plan: Plan, violation: Violation): readonly string[] {
  const claim = session.claimOf(violation.oracle);
  const lines = [
    `${violation.oracle} (${violation.rule}) at step ${violation.step}, ` +
      `${operationName(session, violation.operation)}, ${session.directory.name(violation.site)}:`,
    `  ${sentence(session, violation)}`,
    `  broken promise: ${claim}`,
  ];
  const { survivor } = violation;
  if (survivor === undefined || survivor < 0) return lines;
  const made = session.machine.trace.at(survivor);
  const maker = operationName(session, made.operation);
  lines.push(`  made by: step ${made.step}, ${maker}: ${describeRow(session, made)}`);
  lines.push(...invalidations(session, violation));
  const use = laterUse(session, plan, violation);
  lines.push(
    `  used by: ${use === undefined ? 'nobody in this run' : `step ${use.step}, ${use.who}: ${use.what}`}`,
  );
  return lines;
}

function invalidations(session: Session, violation: Violation): readonly string[] {
  const made = session.machine.trace.at(violation.survivor!);
  const missed = missedBy(session, violation, made);
  if (missed.length === 0) return ['  invalidation: none was issued after it was made'];
  return missed.slice(-INVALIDATIONS_SHOWN).map(({ row, why }) => {
    const who = operationName(session, row.operation);
    return `  invalidation: step ${row.step}, ${who}: ${tlbiText(row.a, row.b, row.c)} ${why}`;
  });
}
