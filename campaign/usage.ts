/** Something that the user asked for is wrong; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
