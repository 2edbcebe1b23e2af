/** What both ends of a distributed campaign share: the connection, the queue's name, which code is run. */
import type { QueueOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { UsageError } from './options.ts';

const PREFIX = 'stagewright';
/** A campaign is there as long as its coordinator says so, again and again. */
const PRESENT_SECONDS = 30;

/** Jobs of different versions of the code never meet: each has a queue of its own. */
export function queueName(code: string): string {
  return `campaign-${code}`;
}

/** Options of BullMQ for a URL: it waits for a Redis that is away, for as long as it takes. */
export function settingsOf(url: string): QueueOptions {
  return {
    connection: { url, maxRetriesPerRequest: null, retryStrategy: () => 250 },
    prefix: PREFIX,
    // Redis is warned about by its own log, not ours
    skipVersionCheck: true,
  };
}

/**
 * Does something with a connection that is closed afterwards.
 * @throws UsageError when Redis is not there, or does not let us in
 */
async function connected<Value>(
  url: string,
  body: (redis: Redis) => Promise<Value>,
): Promise<Value> {
  checkUrl(url);
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: 5000,
    enableOfflineQueue: false,
  });
  // the error of `connect` says less than the event does
  let reason: Error | undefined;
  redis.on('error', (error: Error) => {
    reason ??= error;
  });
  try {
    await redis.connect();
    await redis.ping();
    return await body(redis);
  } catch (error) {
    const cause = reason ?? (error as Error);
    throw new UsageError(`cannot use ${withoutPassword(url)}: ${reasonOf(cause)}`);
  } finally {
    redis.disconnect();
  }
}

function checkUrl(url: string): void {
  const known = URL.canParse(url) ? new URL(url).protocol : '';
  if (known === 'redis:' || known === 'rediss:') return;
  throw new UsageError(
    `--redis is "${withoutPassword(url)}"; redis://[USER:PASSWORD@]HOST[:PORT][/DB] is allowed, and rediss:// for TLS`,
  );
}

export function withoutPassword(url: string): string {
  return url.replace(/\/\/([^@/]*):[^@/]*@/, '//$1:***@');
}

function reasonOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (code === 'ENOTFOUND') return 'the host is unknown';
  if (/WRONGPASS|invalid password/i.test(error.message)) return 'the password is wrong';
  if (/NOAUTH/.test(error.message)) return 'it wants a password (redis://:PASSWORD@HOST)';
  return error.message;
}

/** Says that a campaign of this code is running. */
export async function announce(url: string, code: string): Promise<void> {
  await connected(url, (redis) => redis.set(`${PREFIX}:code:${code}`, '1', 'EX', PRESENT_SECONDS));
}

/**
 * Checks that a worker of this code is of use.
 * @throws UsageError when there are campaigns, and all of them are of other code
 */
export async function checkCode(url: string, code: string): Promise<void> {
  const codes = await connected(url, async (redis) => {
    const keys = await redis.keys(`${PREFIX}:code:*`);
    return keys.map((key) => key.slice(`${PREFIX}:code:`.length)).sort((a, b) => (a < b ? -1 : 1));
  });
  if (codes.length === 0 || codes.includes(code)) return;
  throw new UsageError(
    `the campaign at ${withoutPassword(url)} runs code ${codes.join(', ')}, and this worker is ${code}: ` +
      'install the same version on both',
  );
}
