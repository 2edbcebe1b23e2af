/**
 * Beliefs of our own code. A failed assertion is a fault of Stagewright (exit code 70), never a
 * finding about the code under test: findings are data (see oracles/oracle.ts).
 */
export class InternalError extends Error {
  override readonly name = 'InternalError';
}

/** Throws an InternalError when a belief of ours is wrong. */
export function assert(condition: boolean, belief: string): asserts condition {
  if (!condition) throw new InternalError(belief);
}

export function unreachable(value: never, belief: string): never {
  throw new InternalError(`${belief}: ${String(value)}`);
}
