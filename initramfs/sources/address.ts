/** What follows the scheme of an address like `disk:/dev/sda3/back%20up`, as people mean it. */
export const placeOf = ({ pathname }: URL): string => decoded(pathname);

/** Whoever logs in; empty where nobody is named. */
export const userOf = ({ username }: URL): string => decoded(username);

/** Without the codes of URLs; what has wrong ones was not meant so. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
