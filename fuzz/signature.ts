/**
 * Signatures of findings. Coarse: the clause broken, the kind of object, who broke it at which site, and the
 * site that made what survived. Fine: the coarse one plus the shape of the minimised order. Never a bug id,
 * an actor, an address, a level or a configuration.
 *
 * One bug in code that many operations share must not become many findings. So the coarse signature says whether the
 * guest's access, software or hardware broke the promise, and not in which operation, unless the promise is that of
 * the operation as a whole: which access of a guest is the victim, and which call comes to a site, the program decides
 * and not the code.
 */
import type { Violation } from '../oracles/oracle.ts';
import { ActorRole } from '../sim/actor.ts';
import { Event } from '../sim/event.ts';
import { type Site, siteOf } from '../sim/site.ts';
import type { Constraint } from './order.ts';
import type { Session } from './session.ts';

export function operationId(session: Session, operation: number): string {
  return session.loaded?.operations[operation]?.id ?? 'none';
}

export function coarseSignature(session: Session, violation: Violation): string {
  const { trace } = session.machine;
  const { oracle, rule, subject, survivor = -1 } = violation;
  const made = survivor < 0 ? '' : `<${placeName(session, trace.site(survivor))}`;
  return `${oracle}:${rule}:${subject}@${culprit(session, violation)}${made}`;
}

/** Who broke the promise, and where. */
function culprit(session: Session, { row, operation, site }: Violation): string {
  const kind = row < 0 ? undefined : session.machine.trace.kind(row);
  // these look at a state: whose event was the last before them is an accident
  if (kind === Event.RunEnd) return 'end';
  if (kind === Event.GuestEnter) return 'enter';
  const spec = session.loaded?.operations[operation];
  const isWhole = kind === Event.OperationEnd && spec?.isGuestAccess !== true;
  const who = isWhole ? spec?.id : partyOf(session, operation);
  return `${who ?? 'none'}/${placeName(session, site)}`;
}

/** The guest's accesses, software of the hypervisor or its host, or the role of what is neither. */
function partyOf({ machine, loaded }: Session, operation: number): string | undefined {
  if (loaded?.operations[operation]?.isGuestAccess === true) return 'guest';
  const role = machine.actors[machine.course.actorOf[operation] ?? -1]?.role;
  return role === ActorRole.Vcpu || role === ActorRole.Host ? 'software' : role;
}

/** The name of a site; which level a walk was at depends on the address. */
function placeName({ directory }: Session, site: Site): string {
  return directory.name(site).replace(/^walk\.level-?\d$/, 'walk.level');
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
