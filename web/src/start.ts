import '@fontsource-variable/inter/index.css'
import './ui/tokens.css'
import { askAhead } from './api/ahead'
import { base } from './api/base'
import { applyTheme, keptTheme } from './app/dark'
import { showFailure, showFrame, showHead } from './app/early'
import { firstOf } from './app/first'
import { listenForPalette } from './app/keys'
import { fetchPage, pageOf } from './app/pages'
import { preferred, texts } from './i18n/texts'

// What is needed first is on its way, and the frame stands, before the rest of
// the console is read.
const path = location.pathname.slice(base.length - 1)
const page = pageOf(path)
applyTheme(keptTheme())
listenForPalette()
// The router reads where pages were scrolled to, and a first visit has none: the
// exception that it catches costs a second reading of all that is loaded.
sessionStorage['vue-router:scroll'] ??= '{}'
showFrame(page)
fetchPage(page)
askAhead(firstOf(page, path, location.search))
void texts[preferred()]()
  .then(({ default: all }) => showHead(page, all))
  .then(() => import('./boot'))
  .then(({ mounted }) => mounted)
  .catch(showFailure)
