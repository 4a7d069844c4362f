import fc from 'fast-check';

/**
 * Property tests try the same inputs at each run, so that a commit passes or fails for good. To look for new ones:
 * `MINDI_TEST_SEED=$RANDOM ./scripts/test --quick`; a failure's own seed does the same.
 */
fc.configureGlobal({ seed: Number(process.env.MINDI_TEST_SEED ?? 2008) });

// Each test file runs in a process of its own, so what one sets in process.env for all of its tests stays set.
