/** One processing element: registers, TLB, regime, and its invalidations that are not complete. */
import { Register } from './access.ts';
import { Tlb } from './tlb.ts';

/** Writes of VTTBR_EL2 or SCTLR_EL2 (0), which nobody has both pending, and TTBR0_EL2 (1) that have no effect yet. */
export class DelayedRegisters {
  readonly isPending = [false, false];
  readonly register = [0, 0];
  readonly value = [0, 0];
  readonly generation = [0, 0];
  readonly actor = [0, 0];
  readonly operation = [0, 0];
  readonly site = [0, 0];

  reset(): void {
    for (let i = 0; i < this.isPending.length; i += 1) this.isPending[i] = false;
  }
}

export class Pe {
  readonly index: number;
  readonly tlb = new Tlb();
  /** Executing the guest: only then new guest walks start (spec/arm.md E8). */
  guest = false;
  /**
   * Has said that it runs the guest, so that others kick it, and has not executed any of it: software looks for
   * requests in between, and no walk starts.
   */
  entering = false;
  /**
   * Interrupts are masked: by software that is about to enter the guest, where an interrupt waits until it has; or
   * by the exception that ended the guest, until software unmasks them.
   */
  masked = false;
  /** Root frame and VMID of the guest regime, and the root's generation when it was loaded. */
  vttbr = 0;
  vttbrGeneration = 0;
  /** The walkers of this PE set the accessed flag, and the write right of entries with a dirty-bit modifier (HA, HD). */
  updatesAccessed = false;
  updatesDirty = false;
  /** Root frame of the hypervisor's regime. */
  ttbr0 = 0;
  ttbr0Generation = 0;
  /**
   * The log of guest writes that set a dirty flag (x86): a count word and the words after it, of the kernel's; -1
   * where there is none. The system places it. And whether the context loaded is logged.
   */
  writeLog = -1;
  writeLogSize = 0;
  logsWrites = false;
  /** The hypervisor's regime translates (SCTLR_EL2.M). */
  mmu = true;
  /** Instructions fetched while it did not translate: bit 0 in the instruction cache, bit 1 ahead of execution. */
  fetched = 0;
  readonly delayed = new DelayedRegisters();
  /** Newest instance at the last context synchronisation: faults may be as old as that (F2). */
  synchronisedAt = 0;
  /** Invalidations issued here that some PE has not acknowledged. */
  outstanding = 0;
  /** Invalidations of any PE that have not arrived here. */
  arrivals = 0;
  /** The TLB of a device: PEs' own invalidations do not reach it. */
  readonly isDevice: boolean;

  constructor(index: number, isDevice = false) {
    this.index = index;
    this.isDevice = isDevice;
  }

  /** What software on this PE reads back from VTTBR_EL2: its own writes, with or without effect yet. */
  get writtenVttbr(): number {
    const { isPending, register, value } = this.delayed;
    return isPending[0] === true && register[0] === Register.Vttbr ? value[0]! : this.vttbr;
  }

  reset(): void {
    this.tlb.reset();
    this.guest = false;
    this.entering = false;
    this.masked = false;
    this.vttbr = 0;
    this.vttbrGeneration = 0;
    this.ttbr0 = 0;
    this.ttbr0Generation = 0;
    this.logsWrites = false;
    this.mmu = true;
    this.fetched = 0;
    this.delayed.reset();
    this.synchronisedAt = 0;
    this.outstanding = 0;
    this.arrivals = 0;
  }
}
