import { ready } from '.'

// Tests begin with the texts that a page begins with.
await ready
