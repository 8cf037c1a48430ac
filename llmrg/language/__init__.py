"""Language: causal language models with LoRA and quantisation, prompts, decoding, and encoders of text.

The rooms above hand vectors and words to :class:`llmrg.language.llm.LanguageModel` through a prompt, which is a list of
segments (:mod:`llmrg.language.prompt`), and get a loss on the report's tokens or a generated report back.
"""
