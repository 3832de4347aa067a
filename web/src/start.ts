import '@fontsource-variable/inter/index.css'
import './ui/tokens.css'
import './api/early'
import { preferred, texts } from './i18n/texts'

// What is needed first is on its way before the rest of the console is read.
void texts[preferred()]()
void import('./boot')
