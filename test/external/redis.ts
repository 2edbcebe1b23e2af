/** A Redis of our own on a free port of this machine, for tests: Debian's redis-server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';

export class TestRedis {
  readonly port: number;
  readonly url: string;
  readonly #folder: string;
  readonly #password: string | undefined;
  #server: ChildProcess | undefined;

  private constructor(port: number, folder: string, password: string | undefined) {
    this.port = port;
    this.#folder = folder;
    this.#password = password;
    const login = password === undefined ? '' : `:${password}@`;
    this.url = `redis://${login}127.0.0.1:${port}`;
  }

  /** @param folder where it keeps its data, so that a restart finds it */
  static async start(folder: string, password?: string): Promise<TestRedis> {
    const redis = new TestRedis(await freePort(), folder, password);
    await redis.start();
    return redis;
  }

  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder];
    args.push('--appendonly', 'yes', '--save', '');
    if (this.#password !== undefined) args.push('--requirepass', this.#password);
    const server = spawn('redis-server', args, { stdio: 'ignore' });
    const failed = new Promise<never>((_, reject) => server.on('error', reject));
    this.#server = server;
    await Promise.race([failed, this.#answers()]);
  }

  async #answers(): Promise<void> {
    const redis = new Redis(this.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    redis.on('error', () => {});
    await redis.ping();
    redis.disconnect();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null) return;
    const ended = new Promise((resolve) => server.on('exit', resolve));
    server.kill('SIGTERM');
    await ended;
  }

  async restart(): Promise<void> {
    await this.stop();
    await pause(500);
    await this.start();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
