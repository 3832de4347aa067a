import { ref, watchEffect } from 'vue'
import { applyTheme, dark, keptTheme } from './dark'

export const theme = ref(keptTheme())
export const isDark = ref(false)

watchEffect(() => {
  localStorage.setItem('sextant.theme', theme.value)
  isDark.value = applyTheme(theme.value)
})
dark.addEventListener('change', () => (isDark.value = applyTheme(theme.value)))
