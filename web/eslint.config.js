import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import vue from 'eslint-plugin-vue'
import { defineConfig, globalIgnores } from 'eslint/config'
import ts from 'typescript-eslint'

// Names and types are the compiler's business, the form of the text is prettier's. What is left are
// faults: a promise that nobody waits for, a condition that is always true, a name that stands for two things.
export default defineConfig(
  globalIgnores(['dist/', 'node_modules/', 'src/api/schema.ts']),
  js.configs.recommended,
  ts.configs.recommended,
  vue.configs['flat/recommended'],
  prettier,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-undef': 'off',
      eqeqeq: 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
      // The design system has the names of what it is: Button, Card, Menu.
      'vue/multi-word-component-names': 'off',
      // An optional property of a type is undefined where it is not given, and is asked for as such.
      'vue/require-default-prop': 'off',
      // Takes the | of a type for a filter; the compiler of today knows no filters.
      'vue/no-deprecated-filter': 'off',
    },
  },
  {
    files: ['**/*.{ts,vue}'],
    languageOptions: {
      parserOptions: { parser: ts.parser, projectService: true, extraFileExtensions: ['.vue'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-unnecessary-condition': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/return-await': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  {
    // What is closed after a test was perhaps never opened, which the compiler cannot know.
    files: ['browser/**'],
    rules: { '@typescript-eslint/no-unnecessary-condition': 'off' },
  },
)
