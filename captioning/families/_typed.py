"""Has mypy compare every family with `Family`. No stage imports this module, so a new family makes no result stale."""

from captioning.families import auto, blip2_opt, blip2_t5, llava, llava_crop
from captioning.modelling.captioner import ChatFamily, Family, FeatureFamily

AUTO: ChatFamily = auto
BLIP2_OPT: FeatureFamily = blip2_opt
BLIP2_T5: FeatureFamily = blip2_t5
LLAVA: Family = llava
LLAVA_CROP: Family = llava_crop
