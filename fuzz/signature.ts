/**
 * Signatures of findings. Coarse: the clause broken, the kind of object, the operation and site that
 * broke it, and the site that made what survived. Fine: the coarse one plus the shape of the
 * minimised order. Never a bug id, an actor, an address or a configuration.
 */
import type { Violation } from '../oracles/oracle.ts';
import { siteOf } from '../sim/site.ts';
import type { Constraint } from './order.ts';
import type { Session } from './session.ts';

export function operationId(session: Session, operation: number): string {
  return session.loaded?.operations[operation]?.id ?? 'none';
}

export function coarseSignature(session: Session, violation: Violation): string {
  const { directory, machine } = session;
  const where = `${operationId(session, violation.operation)}/${directory.name(violation.site)}`;
  const survivor =
    violation.survivor === undefined || violation.survivor < 0
      ? ''
      : `<${directory.name(machine.trace.site(violation.survivor))}`;
  return `${violation.oracle}:${violation.rule}:${violation.subject}@${where}${survivor}`;
}

/** @param operationOf operation id of an `actor.key` */
export function fineSignature(
  coarse: string,
  order: readonly Constraint[],
  operationOf: (actor: string, key: string) => string,
): string {
  const shape = order
    .map(({ before, after }) => {
      const one = `${operationOf(before.actor, before.key)}/${before.site}#${before.occurrence}`;
      const other = `${operationOf(after.actor, after.key)}/${after.site}#${after.occurrence}`;
      return `${one}<${other}`;
    })
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    .join(';');
  return `${coarse}~${siteOf(shape).toString(16).padStart(8, '0')}`;
}
