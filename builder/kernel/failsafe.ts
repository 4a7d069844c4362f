/**
 * The kernel mindi names for machines without a usable one of their own: Debian's, signed for Secure Boot and with
 * modules for most hardware. It is taken from this machine's own apt sources when they have it, else from `source`.
 */
export const FAILSAFE = {
  package: 'linux-image-amd64',
  source:
    'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main\n' +
    'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bookworm-security main\n',
} as const;
