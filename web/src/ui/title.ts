import { onScopeDispose, shallowRef, watchEffect, type Ref } from 'vue'

const parts = shallowRef<string[]>([])

/** What the page that is shown is called, the narrowest first: its thing, then the kind of it. Empty while that is not known. */
export const pageTitle: Readonly<Ref<readonly string[]>> = parts

/** Names the page for the window, for as long as what calls this is there. */
export function usePageTitle(named: () => (string | undefined)[]): void {
  let own: string[] = []
  watchEffect(() => (parts.value = own = named().filter((p): p is string => !!p)))
  // A page that came meanwhile has named itself.
  onScopeDispose(() => parts.value === own && (parts.value = []))
}
