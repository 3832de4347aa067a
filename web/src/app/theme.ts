import { ref, watchEffect } from 'vue'

export type Theme = 'light' | 'dark' | 'system'

const dark = matchMedia('(prefers-color-scheme: dark)')
const kept = localStorage.getItem('sextant.theme')

export const theme = ref<Theme>(kept === 'light' || kept === 'dark' ? kept : 'system')
export const isDark = ref(false)

function apply() {
  isDark.value = theme.value === 'dark' || (theme.value === 'system' && dark.matches)
  document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light'
}

watchEffect(() => {
  localStorage.setItem('sextant.theme', theme.value)
  apply()
})
dark.addEventListener('change', apply)
