const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'it refuses connections: the service does not run there',
  ECONNRESET: 'it broke the connection off',
  ENETUNREACH: 'this machine has no network',
  EHOSTUNREACH: 'no machine answers at that address',
  ETIMEDOUT: 'it does not answer',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'no name server answers that would know its name',
};

/** Why a server could not be talked to, in words for people. */
export function reason({ code = '', message = '' }: { code?: string; message?: string }): string {
  return REASONS[code] ?? message;
}
